-- Nothing in `public` may stand in for an operator or function that a file means.
set search_path = pg_catalog, pg_temp;
set client_min_messages = warning;
