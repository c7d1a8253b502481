select batch_id, id, delivery_id, email_type, category, recipient, dedupe_key, attempts, context, unsubscribe_token, tracking,
    unsettled, sent_before, resolvable, last_look, age_seconds
from public.email_take_over(worker => $1, provider => $2, lease => make_interval(secs => $3), busy => $4)
