select code, answered, about
from public.email_question($1, $2)
