-- A statement that waits for a table holds up those behind it: half a second, then the next try.
begin;
set local lock_timeout = '500ms';
set local statement_timeout = '60s';
