-- A/B subjects: which keys one may use, and who gets which.
begin;
\ir support/fixtures.sql
select plan(10);

select throws_ok(
    $$insert into public.email_subject_variants (email_type, variant, subject) values ('E-TRX-01', 'A', 'Bonjour {deployments}')$$,
    '23514', 'subject of E-TRX-01 variant A: unknown key {deployments}', 'a key the letter does not know is refused');
select throws_ok(
    $$insert into public.email_subject_variants (email_type, variant, subject) values ('E-TRX-01', 'A', 'Bonjour {first_name')$$,
    '23514', 'subject of E-TRX-01 variant A: a brace without its partner', 'so is a brace without its partner');
select lives_ok(
    $$insert into public.email_subject_variants (email_type, variant, subject, weight) values
        ('E-TRX-01', 'A', '{first_name}, bienvenue', 3), ('E-TRX-01', 'B', 'Bienvenue à bord', 1), ('E-ACT-01', 'A', 'Un projet, {first_name} ?', 1)$$,
    'known keys are welcome');
select throws_ok(
    $$update public.email_subject_variants set subject = 'Bonjour {email}' where email_type = 'E-ACT-01'$$,
    '23514', 'subject of E-ACT-01 variant A: unknown key {email}', 'a change is checked too');

create temporary table person as select gen_random_uuid() as id from generate_series(1, 4000);
create temporary table choice as select p.id, public.email_subject_choice('E-TRX-01', p.id) ->> 'subject_variant' as variant from person p;
select is(count(*)::integer, 4000, 'everybody gets one') from choice where variant in ('A', 'B');
select cmp_ok(abs(count(*) filter (where variant = 'A') - 3000), '<', 160::bigint, 'in proportion to the weights') from choice;
select is(count(*)::integer, 0, 'and the same one every time')
from choice c where c.variant is distinct from public.email_subject_choice('E-TRX-01', c.id) ->> 'subject_variant';

update public.email_subject_variants set enabled = false where variant = 'B';
select is(count(*)::integer, 0, 'a disabled variant is nobody''s') from choice c
where public.email_subject_choice('E-TRX-01', c.id) ->> 'subject_variant' <> 'A';
select is(public.email_subject_choice('E-SEC-01', gen_random_uuid()), null, 'a type without variants keeps its own subject');

create temporary table nadia as select fixture.account('nadia') as id;
select is(
    (select c.context ->> 'subject_template' from public.email_claim('w', 'console', 10, interval '1 minute') c where c.email_type = 'E-TRX-01'),
    '{first_name}, bienvenue', 'the claim hands the chosen subject to the sidecar');

select * from finish();
rollback;
