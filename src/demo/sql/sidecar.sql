-- The sidecar's login: what `run` needs, and nothing more.
create role seqpulse_mailer login in role email_worker;
