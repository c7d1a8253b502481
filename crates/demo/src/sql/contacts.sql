-- Who else hears about a project. $1 project.
insert into public.email_project_contacts (project_id, email, role)
values ($1::text::uuid, 'direction@acme.example', 'admin'), ($1::text::uuid, 'astreinte@acme.example', 'on_call')
