-- Whether this session is encrypted, and whether its role may do what `run` does.
select
    current_user::text as role_name,
    current_setting('server_version') as server_version,
    coalesce((select s.version || ', ' || s.cipher from pg_catalog.pg_stat_ssl s where s.pid = pg_backend_pid() and s.ssl), '') as tls,
    coalesce(inet_client_addr() is distinct from inet_server_addr() and not inet_client_addr() <<= '127.0.0.0/8', false) as remote,
    coalesce((
        select string_agg(f.name, ', ')
        from unnest(array['email_claim_or_wait(text, text, integer, integer, double precision)', 'email_take_over(text, text, interval, uuid[])',
            'email_settle(text, uuid, bigint[], text[], text[], text[], text[], double precision[], text, timestamptz, double precision, double precision)', 'email_doctor()']) as f (name)
        where to_regprocedure('public.' || f.name) is null or not has_function_privilege('public.' || f.name, 'execute')
    ), '') as not_allowed
