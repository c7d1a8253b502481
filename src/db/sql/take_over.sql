select batch_id, id, delivery_id, email_type, category, recipient, dedupe_key, attempts, context, unsubscribe_token, tracking,
    held, sent_before, resolvable, last_look, age_seconds
from public.email_take_over($1, $2, make_interval(secs => $3), $4)
