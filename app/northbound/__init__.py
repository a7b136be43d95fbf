"""The station offered to others: so far to dispatch centres, as IEC 60870-5-104 controlled station.

form      `northbound.yaml` as it is written       loading   from the files to centres, with all faults
table     point tables in CSV                      centre    a control centre and what it is offered
intake    the engine's updates on their way out    serving   the worker of one centre, watched
service   all centres: sink of the engine, status  orders    what centres order, and what becomes of it

What leaves the station is values; nothing that comes in reaches a device from here (docs/decisions/0046).
"""
