-- The sidecar's login: what `run` needs, and nothing more. The application may tell facts.
create role seqpulse_mailer login in role email_worker;
grant email_app to seqpulse_app;
