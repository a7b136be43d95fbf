"""What is true now: the live table, scanning, computed points, and the supervision of every device."""
