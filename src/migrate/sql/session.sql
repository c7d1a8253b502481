-- refinery's own table is not qualified, ours is the schema of contract, section 4.
set search_path = public, pg_temp;
set client_min_messages = warning;
