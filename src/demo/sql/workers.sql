-- How many sidecars have registered themselves.
select count(*) from public.email_workers
