select public.email_record_event(
    provider => $1, event_id => $2, event_type => $3, occurred_at => $4, delivery_id => $5, message_id => $6, address => $7,
    address_state => $8, details => $9)
