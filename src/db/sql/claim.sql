select batch_id, id, delivery_id, email_type, category, recipient, dedupe_key, attempts, context, unsubscribe_token, tracking,
    next_seconds, stopped
from public.email_claim_or_wait(worker => $1, provider => $2, batch_size => $3, batches => $4, lease_seconds => $5)
