-- Applied again once its table is there; what it made stays known, as it is now.
update public.email_sql_files set checksum = '', fingerprint = public.email_fingerprint(objects)
where path = $1 and checksum <> ''
