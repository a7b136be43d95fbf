"""What needs a person: alarms evaluated on columns, their list, and the journals of alarms and events."""
