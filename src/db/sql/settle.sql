select public.email_settle(
    worker => $1, batch => $2, ids => $3, outcomes => $4, message_ids => $5, errors => $6, subjects => $7, retry_after => $8,
    pause_reason => $9, pause_until => $10, limited => $11, provider_limit => $12)
