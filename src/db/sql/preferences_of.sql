select is_user, marketing, product, tracking, timezone
from public.email_preferences_of(token => $1)
