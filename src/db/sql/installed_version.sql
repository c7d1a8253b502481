select
    current_setting('server_version_num')::integer as server_version,
    to_regclass('public.email_schema_history') is not null as has_history
