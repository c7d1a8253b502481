-- The application's own role: it owns its tables and knows nothing of ours.
create role seqpulse_app login;
grant create on schema public to seqpulse_app;
