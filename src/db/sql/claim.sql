select batch_id, id, delivery_id, email_type, category, recipient, dedupe_key, attempts, context, unsubscribe_token, tracking,
    next_seconds, stopped
from public.email_work($1, $2, $3, $4, $5)
