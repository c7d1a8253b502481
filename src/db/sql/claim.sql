select batch_id, id, delivery_id, email_type, category, recipient, dedupe_key, attempts, context, unsubscribe_token, tracking,
    taken_over, age_seconds
from public.email_claim($1, $2, $3, make_interval(secs => $4))
