-- As refinery does it.
insert into public.email_schema_history (version, name, applied_on, checksum)
values ($1, $2, to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), $3)
