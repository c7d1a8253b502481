select verdict, wait_seconds, attempt
from public.email_batch_ready(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
    make_interval(secs => $12), make_interval(secs => $13), make_interval(secs => $14), make_interval(secs => $15), $16)
