select pg_try_advisory_lock(hashtext('seqpulse-mailer'), hashtext('migrate'))
