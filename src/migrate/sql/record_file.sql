insert into public.email_sql_files as f (path, checksum, objects, fingerprint)
values ($1, $2, $3, public.email_fingerprint($3))
on conflict (path) do update set
    checksum = excluded.checksum, objects = excluded.objects, fingerprint = excluded.fingerprint, applied_at = clock_timestamp()
