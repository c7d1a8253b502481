-- What a user agent says about a device, reduced to what stays the same from one version to the next.
--
-- email_signals_fill() (10_enqueue.sql) keeps it beside every login as it is recorded.  A change of what it answers concerns logins after
-- it only: until the 90 days of E-SEC-02 are over, a device that is now called something else is new once more.

create or replace function public.email_device(told text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    agent constant text := btrim(left(told, 512));
    -- Each word between blanks, so that "mac" is not found in "machine"; strpos costs half of what LIKE does.
    words constant text := ' ' || translate(lower(agent), '/;()_,', '      ') || ' ';
    browser text;
    system text;
begin
    if agent is null or agent = '' then
        return null;
    end if;
    -- A brand of telephones is called Cubot.
    if (strpos(words, 'bot ') > 0 or strpos(words, 'crawler ') > 0 or strpos(words, 'spider ') > 0 or strpos(words, 'slurp ') > 0) and strpos(words, ' cubot ') = 0 then
        return left(substring(agent from '(?i)([a-z0-9-]*(?:bot|crawler|spider|slurp))(?:[/;)_, ]|$)'), 64);
    end if;
    -- Nearly every browser names those it descends from as well: the most particular name first.
    browser := case
        when strpos(words, ' edg ') > 0 or strpos(words, ' edga ') > 0 or strpos(words, ' edgios ') > 0 or strpos(words, ' edge ') > 0 then 'Edge'
        when strpos(words, ' opr ') > 0 or strpos(words, ' opera ') > 0 or strpos(words, ' opios ') > 0 then 'Opera'
        when strpos(words, ' samsungbrowser ') > 0 or strpos(words, ' samsung internet ') > 0 then 'Samsung Internet'
        when strpos(words, ' vivaldi ') > 0 then 'Vivaldi'
        when strpos(words, ' yabrowser ') > 0 then 'Yandex'
        when strpos(words, ' duckduckgo ') > 0 then 'DuckDuckGo'
        when strpos(words, ' firefox ') > 0 or strpos(words, ' fxios ') > 0 then 'Firefox'
        when strpos(words, ' chrome ') > 0 or strpos(words, ' crios ') > 0 or strpos(words, ' chromium ') > 0 or strpos(words, ' headlesschrome ') > 0 then 'Chrome'
        when strpos(words, ' safari ') > 0 then 'Safari'
        when strpos(words, ' msie ') > 0 or strpos(words, ' trident ') > 0 or strpos(words, ' internet explorer ') > 0 then 'Internet Explorer'
    end;
    system := case
        when strpos(words, ' windows ') > 0 then 'Windows'
        when strpos(words, ' android ') > 0 then 'Android'
        when strpos(words, ' ipad ') > 0 or strpos(words, ' ipados ') > 0 then 'iPad'
        when strpos(words, ' iphone ') > 0 or strpos(words, ' ipod ') > 0 then 'iPhone'
        when strpos(words, ' ios ') > 0 then 'iOS'
        when strpos(words, ' cros ') > 0 or strpos(words, ' chromeos ') > 0 then 'ChromeOS'
        when strpos(words, ' macintosh ') > 0 or strpos(words, ' macos ') > 0 or strpos(words, ' mac os x ') > 0 or strpos(words, ' mac ') > 0 then 'macOS'
        when strpos(words, ' freebsd ') > 0 or strpos(words, ' openbsd ') > 0 or strpos(words, ' netbsd ') > 0 then 'BSD'
        when strpos(words, ' linux ') > 0 or strpos(words, ' x11 ') > 0 or strpos(words, ' ubuntu ') > 0 then 'Linux'
    end;
    if browser is not null and system is not null then
        return browser || ' sur ' || system;
    end if;
    if browser is not null then
        return browser;
    end if;
    -- A program says its name first: curl/7.88.1, python-requests/2.31.0.  What is no user agent stays as it is, without versions.
    if left(words, 9) <> ' mozilla ' then
        return nullif(left(btrim(regexp_replace(case when agent ~ '^[^ /]+/' then split_part(agent, '/', 1) else agent end,
            '(^|[ /]+)v?[0-9]+(\.[0-9]+)+[^ ]*', '', 'g')), 64), '');
    end if;
    return system;
end
$$;
comment on function public.email_device(text) is
'The browser and the system of a user agent, without versions, as a letter names them: Firefox sur Linux. Of a program its name (curl), of other text what is left without versions, 64 characters at most. What it answers it answers again. null: nothing is told.';
revoke all on function public.email_device(text) from public;

select public.email_grant('execute on function public.email_device(text)', 'email_worker');
