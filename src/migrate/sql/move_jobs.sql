select m.codes, m.fault from public.email_handover_move($1) m
