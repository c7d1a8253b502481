select verdict, wait_seconds
from public.email_batch_ready(
    worker => $1, batch => $2, ids => $3, provider => $4, endpoint => $5, recovery => $6, idempotency_key => $7, body_sha256 => $8,
    settings => $9, tokens => $10, tracked => $11, lease => make_interval(secs => $12), request_limit => make_interval(secs => $13),
    resolvable_for => make_interval(secs => $14), patience => make_interval(secs => $15), rate => $16)
