-- The indexes that stood in for others go with their table, also those an interrupted migrate left behind.
drop table if exists public.email_placeholders
