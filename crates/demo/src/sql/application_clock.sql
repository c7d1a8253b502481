-- The application's clock moves with the demo's: every timestamp it does not give itself.
create function public.seqpulse_now() returns timestamptz
language sql stable
as $$
select now() + coalesce(nullif(current_setting('email.clock_offset', true), ''), '0')::interval
$$;
alter table public.users alter column created_at set default public.seqpulse_now(), alter column updated_at set default public.seqpulse_now();
alter table public.projects alter column created_at set default public.seqpulse_now(), alter column updated_at set default public.seqpulse_now();
alter table public.deployments alter column started_at set default public.seqpulse_now();
alter table public.metric_samples alter column collected_at set default public.seqpulse_now();
alter table public.deployment_verdicts alter column created_at set default public.seqpulse_now();
alter table public.sdh_hints alter column created_at set default public.seqpulse_now();
