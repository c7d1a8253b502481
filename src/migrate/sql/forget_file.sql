delete from public.email_sql_files where path = $1
