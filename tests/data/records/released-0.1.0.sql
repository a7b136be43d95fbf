-- records.sqlite as Gridroom 0.1.0 wrote it: an alarm that a person acknowledged, and two events.
BEGIN TRANSACTION;
CREATE TABLE alarm_active (
	id BIGINT NOT NULL, 
	source VARCHAR NOT NULL, 
	condition VARCHAR NOT NULL, 
	priority VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	message_en VARCHAR NOT NULL, 
	message_zh VARCHAR NOT NULL, 
	value FLOAT, 
	limit_value FLOAT, 
	unit VARCHAR NOT NULL, 
	raised BIGINT NOT NULL, 
	returned BIGINT NOT NULL, 
	acknowledged BIGINT NOT NULL, 
	acknowledged_by VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "alarm_active" VALUES(1,'d.a','h','medium','active_acknowledged','Pump a H 95.0 (90)','水泵 a 越上限 95.0 (90)',95.0,90.0,'',1700000000000000000,0,1700000001000000000,'li');
CREATE TABLE alarm_journal (
	id INTEGER NOT NULL, 
	time BIGINT NOT NULL, 
	recorded BIGINT NOT NULL, 
	alarm_id BIGINT NOT NULL, 
	source VARCHAR NOT NULL, 
	what VARCHAR NOT NULL, 
	condition VARCHAR NOT NULL, 
	priority VARCHAR NOT NULL, 
	message_en VARCHAR NOT NULL, 
	message_zh VARCHAR NOT NULL, 
	value FLOAT, 
	limit_value FLOAT, 
	unit VARCHAR NOT NULL, 
	quality INTEGER NOT NULL, 
	actor VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "alarm_journal" VALUES(1,1700000000000000000,1700000000000000000,1,'d.a','raised','h','medium','Pump a H 95.0 (90)','水泵 a 越上限 95.0 (90)',95.0,90.0,'',0,'');
INSERT INTO "alarm_journal" VALUES(2,1700000001000000000,1700000001000000000,1,'d.a','acknowledged','h','medium','Pump a H 95.0 (90)','水泵 a 越上限 95.0 (90)',95.0,90.0,'',0,'li');
CREATE TABLE event_journal (
	id INTEGER NOT NULL, 
	time BIGINT NOT NULL, 
	recorded BIGINT NOT NULL, 
	source VARCHAR NOT NULL, 
	what VARCHAR NOT NULL, 
	message_en VARCHAR NOT NULL, 
	message_zh VARCHAR NOT NULL, 
	old_value FLOAT, 
	value FLOAT, 
	quality INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "event_journal" VALUES(1,1700000001000000000,1700000001000000000,'d.s','status','Pump s: open → closed','水泵 s：open → closed',0.0,1.0,0);
CREATE TABLE schema_version (
	version INTEGER NOT NULL
);
INSERT INTO "schema_version" VALUES(1);
CREATE TABLE status_last (
	source VARCHAR NOT NULL, 
	value FLOAT NOT NULL, 
	PRIMARY KEY (source)
);
INSERT INTO "status_last" VALUES('d.s',1.0);
CREATE INDEX alarm_journal_time ON alarm_journal (time);
CREATE INDEX alarm_journal_alarm ON alarm_journal (alarm_id);
CREATE INDEX alarm_journal_source ON alarm_journal (source);
CREATE INDEX event_journal_source ON event_journal (source);
CREATE INDEX event_journal_time ON event_journal (time);
COMMIT;
