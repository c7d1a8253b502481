select f.path, f.checksum, f.fingerprint <> public.email_fingerprint(f.objects) as drifted
from public.email_sql_files f
order by f.path
