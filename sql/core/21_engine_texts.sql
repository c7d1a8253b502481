-- What the application's engine writes in English, and our French for it.
--
-- The engine's sentences are data and reach no French letter as they are: a letter says the French of this table, or nothing.
-- To add or change one:
--
--     insert into public.email_engine_texts (source, french) values ('New text of the engine', 'Notre phrase')
--     on conflict (source) do update set french = excluded.french;

insert into public.email_engine_texts as e (source, french, shown, shipped)
select t.source, t.french, t.shown, t.french
from (values
-- Summaries of verdicts.  Not shown where the letter has the figures: they say no more.
('No significant issues detected', 'Aucun problème notable détecté.', false),
('Critical threshold violations detected', 'Un seuil critique au moins est franchi.', false),
('Multiple non-critical threshold violations detected', 'Un seuil non critique est franchi.', false),
('Multiple non-critical regressions detected', 'Plusieurs seuils non critiques sont franchis.', false),
('Data quality insufficient to confirm deployment health', 'Les mesures sont trop incomplètes pour se prononcer.', false),
('Insufficient metrics to assess deployment health', 'Il n''y a pas assez de mesures pour se prononcer.', false),
('Post-deploy metrics validation failed; deployment analyzed with limited confidence', 'L''endpoint de métriques n''a pas pu être validé après la mise en production.', false),
('No significant regression detected', 'Aucune régression notable détectée.', false),
('Critical regression detected', 'Une régression critique a été détectée.', false),
('Critical regressions detected', 'Des régressions critiques ont été détectées.', false),
('Multiple critical regressions detected', 'Plusieurs régressions critiques ont été détectées.', false),
('Potential performance degradation detected', 'Une dégradation des performances est possible.', false),

-- Details: which metric fails.  Said where no samples are left to count.
('latency_p95 unstable in {r}% of samples (limit {t}%)', 'au-dessus du seuil dans {r} % des mesures', true),
('error_rate unstable in {r}% of samples (limit {t}%)', 'au-dessus du seuil dans {r} % des mesures', true),
('cpu_usage unstable in {r}% of samples (limit {t}%)', 'au-dessus du seuil dans {r} % des mesures', true),
('memory_usage unstable in {r}% of samples (limit {t}%)', 'au-dessus du seuil dans {r} % des mesures', true),
('requests_per_sec unstable in {r}% of samples (limit {t}%)', 'en baisse de plus de 20 % dans {r} % des mesures', true),
('latency_p95 exceed_ratio {r}% > {t}% (secured {x})', 'au-dessus du seuil dans {r} % des mesures', true),
('error_rate exceed_ratio {r}% > {t}% (secured {x})', 'au-dessus du seuil dans {r} % des mesures', true),
('cpu_usage exceed_ratio {r}% > {t}% (secured {x})', 'au-dessus du seuil dans {r} % des mesures', true),
('memory_usage exceed_ratio {r}% > {t}% (secured {x})', 'au-dessus du seuil dans {r} % des mesures', true),
('requests_per_sec drop_ratio {r}% > {t}% (drop_threshold 20%)', 'en baisse de plus de 20 % dans {r} % des mesures', true),
('latency_p95 increased >30% vs PRE', 'en hausse de plus de 30 % depuis la mise en production', true),
('error_rate increased >50% vs PRE', 'en hausse de plus de 50 % depuis la mise en production', true),
('traffic dropped >40% vs PRE', 'en baisse de plus de 40 % depuis la mise en production', true),
('cpu_usage > 80%', 'au-dessus de 80 %', true),
('memory_usage > 85%', 'au-dessus de 85 %', true),
('error_rate > 1%', 'au-dessus de 1 %', true),
('latency_p95 > 300ms', 'au-dessus de 300 ms', true),

-- Details: how good the measuring was.
('ok_verdict_blocked_by_data_quality', 'Aucun dépassement n''a été vu, mais il manque trop de mesures pour le confirmer.', true),
('data_quality_score {s}', 'Qualité des mesures : {s} sur 1.', false),
('data_quality_issue min_post_samples 0/5', 'Aucune mesure n''a été reçue après la mise en production.', true),
('data_quality_issue min_post_samples {n}/5', 'Mesures reçues après la mise en production : {n} sur 5.', true),
('data_quality_issue missing_pre_samples', 'Aucune mesure n''a été reçue avant la mise en production : il n''y a rien à quoi comparer.', true),
('data_quality_issue missing_post_timestamps', 'Les mesures d''après la mise en production ne sont pas datées.', true),
('data_quality_issue incoherent_timestamps post_before_pre', 'Les mesures d''après la mise en production sont datées d''avant celles de référence.', true),
('data_quality_issue stale_post_metrics age_seconds={s}', 'La dernière mesure était trop ancienne au moment de l''analyse.', true),
('data_quality_issue incoherent_timestamps post_in_future', 'Des mesures sont datées dans le futur : l''horloge du serveur mesuré avance.', true),
('data_quality_issue sequence_gaps count={n}', 'La suite des mesures est interrompue (interruptions : {n}).', true),
('Metrics endpoint HMAC validation failed. Check secret and endpoint HMAC middleware.', 'La signature HMAC de l''endpoint de métriques a été refusée : le secret ou le contrôle HMAC de l''endpoint est à vérifier.', true),
('Metrics endpoint preflight failed. Check endpoint availability and response format.', 'L''endpoint de métriques n''a pas passé la vérification de fin de déploiement : sa disponibilité ou le format de sa réponse est à vérifier.', true),

-- Errors of collecting (scheduled_jobs.last_error): only what sort of error it was.
('ValueError: Failed to fetch metrics from {url}', 'L''endpoint de métriques n''a pas répondu.', true),
('ValueError: HTTP error {code} from {url}', 'L''endpoint de métriques a répondu par l''erreur HTTP {code}.', true),
('ValueError: Invalid metric value in {any}', 'L''endpoint de métriques a répondu par une valeur inutilisable.', true),
('ValueError: Invalid metric value in {any}: Missing metric ''{metric}''', 'Il manque une métrique dans la réponse de l''endpoint : {metric}.', true),
('MetricsHMACValidationError: {any}', 'L''endpoint de métriques a refusé la signature HMAC.', true),

-- Titles of hints.
('Persistent critical threshold breaches detected', 'Plusieurs seuils critiques sont franchis durablement.', false),
('Persistent critical threshold breach detected', 'Un seuil critique est franchi durablement.', false),
('Persistent latency p95 breaches detected', 'La latence p95 dépasse durablement son seuil.', false),
('Persistent CPU usage breaches detected', 'Le CPU dépasse durablement son seuil.', false),
('Persistent memory usage breaches detected', 'La mémoire dépasse durablement son seuil.', false),
('Latency improved after deployment', 'La latence a baissé après la mise en production.', true),
('Critical verdict requires investigation', 'Ce verdict critique demande une vérification.', false),
('Service degradation detected', 'Le service est dégradé.', true),
('Compute saturation suspected', 'La capacité de calcul semble saturée.', true),
('Partial outage suspected', 'Une panne partielle est possible.', true),
('High error rate after deployment', 'Le taux d''erreur est élevé depuis la mise en production.', true),
('High latency detected', 'La latence est élevée.', true),
('CPU usage spike detected', 'L''usage du CPU a bondi.', true),
('Memory usage above threshold', 'L''usage de la mémoire dépasse son seuil.', true),
('Memory usage approaching threshold', 'L''usage de la mémoire approche de son seuil.', true),
('Memory usage within normal range', 'L''usage de la mémoire est normal.', true),
('Traffic lower than baseline after deployment', 'Le trafic est plus faible qu''avant la mise en production.', true),

-- Diagnoses of hints.  The first ones name no cause: they repeat what the figures show.
('Critical metrics are persistently breaching secured thresholds across post-deploy sequences (error rate, traffic).', 'Le taux d''erreur et le trafic sont durablement hors de leurs limites depuis la mise en production.', false),
('Critical metrics are persistently breaching secured thresholds across post-deploy sequences ({any}).', 'Des métriques critiques sont durablement hors de leurs limites depuis la mise en production.', false),
('Error rate is persistently breaching secured thresholds across post-deploy sequences.', 'Le taux d''erreur dépasse durablement son seuil depuis la mise en production.', false),
('Traffic is persistently breaching secured thresholds across post-deploy sequences.', 'Le trafic est durablement sous son seuil depuis la mise en production.', false),
('Latency p95 exceeded the tolerated breach ratio across post-deployment sequences.', 'La latence p95 dépasse son seuil plus souvent que toléré depuis la mise en production.', false),
('Cpu usage exceeded the tolerated breach ratio across post-deployment sequences.', 'Le CPU dépasse son seuil plus souvent que toléré depuis la mise en production.', false),
('Memory usage exceeded the tolerated breach ratio across post-deployment sequences.', 'La mémoire dépasse son seuil plus souvent que toléré depuis la mise en production.', false),
('Response time decreased after deployment, indicating successful performance optimizations in the new version.', 'Le temps de réponse a baissé après la mise en production : les optimisations de cette version portent leurs fruits.', true),
('Critical persistent breaches were detected by metrics audit but no critical diagnostic hint was generated.', 'Des dépassements critiques durables ont été mesurés, sans qu''une cause se dégage.', false),
('Error rate exceeds secured threshold across post-deploy sequences.', 'Le taux d''erreur dépasse son seuil depuis la mise en production.', false),
('Latency exceeds secured threshold across post sequences.', 'La latence dépasse son seuil depuis la mise en production.', false),
('CPU usage exceeds secured threshold across sequences.', 'Le CPU dépasse son seuil depuis la mise en production.', false),
('Memory usage exceeds secured threshold across sequences.', 'La mémoire dépasse son seuil depuis la mise en production.', false),
('Both error rate and latency increased after deployment, suggesting a major service degradation (likely downstream service failure or resource exhaustion).', 'Le taux d''erreur et la latence ont augmenté ensemble : le service est sans doute dégradé (panne d''un service dont il dépend, ou ressources épuisées).', true),
('Latency and CPU usage both increased after deployment, which often indicates compute saturation, inefficient code, or blocking operations.', 'La latence et le CPU ont augmenté ensemble : capacité de calcul saturée, code coûteux ou opérations bloquantes en sont souvent la cause.', true),
('Error rate increased while traffic dropped significantly after deployment, suggesting a partial outage, failed health checks, or routing misconfiguration.', 'Le taux d''erreur a augmenté pendant que le trafic chutait : une panne partielle, des contrôles de santé en échec ou une erreur de routage sont possibles.', true),
('The service is returning an unusually high number of errors after deployment, indicating a possible application bug, dependency failure, or config issue.', 'Le service renvoie bien plus d''erreurs que d''habitude : un bug, une dépendance en panne ou une erreur de configuration sont possibles.', true),
('Response time increased significantly after deployment, which may indicate slow database queries, external API latency, or resource contention.', 'Le temps de réponse a nettement augmenté : requêtes lentes en base, API externe lente ou ressources disputées sont possibles.', true),
('CPU consumption increased significantly after deployment, which may indicate inefficient algorithms, infinite loops, or increased computational load.', 'Le CPU a nettement augmenté : algorithme coûteux, boucle sans fin ou charge de calcul plus forte sont possibles.', true),
('Memory consumption exceeded the configured threshold, suggesting a possible memory leak, unbounded caching, or insufficient heap size.', 'La mémoire dépasse son seuil : fuite, cache sans limite ou tas trop petit sont possibles.', true),
('Memory consumption increased after deployment and is approaching critical limits, which may impact service stability.', 'La mémoire a augmenté et approche de ses limites, ce qui peut rendre le service instable.', true),
('Memory consumption is stable and well below the configured threshold, indicating healthy resource utilization after deployment.', 'La mémoire est stable et loin de son seuil.', true),
('Post-deployment traffic is significantly lower compared to the pre-deployment baseline, while no strong error or latency increase was detected.', 'Le trafic est nettement plus faible qu''avant la mise en production, sans hausse marquée des erreurs ni de la latence.', true),

-- Actions of hints: what the engine writes today.
('Inspect failing sequences in metrics audit', 'Regarder sur la page du déploiement quelles mesures sont hors limites', true),
('Check recent release and infrastructure changes', 'Relire ce qui a changé dans cette version et dans l''infrastructure', true),
('Run targeted rollback checks for impacted paths', 'Vérifier qu''un retour en arrière est possible pour les parcours touchés', true),
('Rollback if critical breaches continue', 'Revenir à la version précédente si les dépassements critiques continuent', true),
('Review sequence-level metrics for this deployment', 'Parcourir une à une les mesures de ce déploiement', true),
('Compare with the PRE baseline and secured threshold', 'Les comparer aux valeurs d''avant la mise en production et au seuil', true),
('Investigate recent code and config changes', 'Examiner les derniers changements de code et de configuration', true),
('Scale or rollback if persistence remains high', 'Ajouter de la capacité ou revenir en arrière si le dépassement persiste', true),
('Document the optimizations made', 'Noter les optimisations faites', true),
('Continue monitoring performance trends', 'Continuer à suivre l''évolution des performances', true),
('Share best practices with other teams', 'Partager ces pratiques avec les autres équipes', true),
('Inspect metrics audit details for this deployment', 'Ouvrir le détail des mesures de ce déploiement', true),
('Correlate failing metrics with logs/traces', 'Rapprocher les métriques hors limites des journaux et des traces', true),
('Validate rollback readiness', 'S''assurer qu''un retour en arrière est prêt', true),

-- Actions of hints: in the code, or in rows of older versions.
('Check application error logs for 5xx errors or exceptions', 'Chercher les erreurs 5xx et les exceptions dans les journaux de l''application', true),
('Verify database connectivity and query performance', 'Vérifier la connexion à la base de données et la durée des requêtes', true),
('Check external API dependencies for timeouts or failures', 'Vérifier si les API externes répondent, et à temps', true),
('Review recent code changes for error handling or timeout config', 'Relire les derniers changements : gestion des erreurs et délais d''attente', true),
('Consider rollback if errors persist after 5 minutes', 'Envisager un retour en arrière si les erreurs durent plus de 5 minutes', true),
('Profile CPU to identify hot methods or loops (N+1 queries, heavy computations)', 'Profiler le CPU : méthodes et boucles coûteuses, requêtes N+1, calculs lourds', true),
('Check for blocking I/O operations (sync DB calls, external API waits)', 'Chercher les entrées-sorties bloquantes : appels synchrones à la base, attentes d''API externes', true),
('Verify connection pool settings are not exhausted', 'Vérifier que le pool de connexions n''est pas épuisé', true),
('Consider horizontal scaling if CPU is consistently > 80%', 'Envisager d''ajouter des instances si le CPU reste au-dessus de 80 %', true),
('Review recent code changes for algorithmic complexity increases', 'Chercher dans les derniers changements un algorithme devenu plus coûteux', true),
('Check load balancer health checks (are instances marked unhealthy?)', 'Vérifier les contrôles de santé du répartiteur de charge : des instances sont-elles écartées ?', true),
('Verify ingress/routing rules point to correct service version', 'Vérifier que les règles de routage mènent à la bonne version du service', true),
('Check application startup logs for crash loops or init failures', 'Chercher dans les journaux de démarrage des redémarrages en boucle ou une initialisation en échec', true),
('Validate environment variables and config maps are correctly set', 'Vérifier les variables d''environnement et la configuration', true),
('Consider immediate rollback if > 50% traffic impacted', 'Envisager un retour en arrière immédiat si plus de la moitié du trafic est touchée', true),
('Check application logs for exceptions (NullPointer, syntax errors, import failures)', 'Chercher les exceptions dans les journaux de l''application : pointeur nul, syntaxe, import en échec', true),
('Verify database migrations completed successfully', 'Vérifier que les migrations de la base de données sont terminées sans erreur', true),
('Check external service dependencies (APIs, caches, message queues)', 'Vérifier les services dont l''application dépend : API, caches, files de messages', true),
('Review environment variables and secrets configuration', 'Relire les variables d''environnement et la configuration des secrets', true),
('Consider rollback if error rate > 10% for more than 2 minutes', 'Envisager un retour en arrière si le taux d''erreur reste au-dessus de 10 % plus de 2 minutes', true),
('Check database slow query logs for missing indexes or full table scans', 'Chercher dans le journal des requêtes lentes un index manquant ou une lecture de table entière', true),
('Verify external API response times and timeout configurations', 'Vérifier les temps de réponse et les délais d''attente des API externes', true),
('Check for memory pressure causing GC pauses or swapping', 'Vérifier si un manque de mémoire cause des pauses du ramasse-miettes ou du swap', true),
('Enable distributed tracing to identify bottleneck spans', 'Activer le traçage distribué pour trouver l''étape qui ralentit', true),
('Consider rollback if p95 latency > 2x baseline for 5+ minutes', 'Envisager un retour en arrière si la latence p95 reste plus de 5 minutes au double de sa valeur de référence', true),
('Profile CPU to identify top consuming methods or endpoints', 'Profiler le CPU pour trouver les méthodes et les endpoints les plus coûteux', true),
('Check for N+1 query problems or unoptimized database access patterns', 'Chercher des requêtes N+1 ou des accès à la base mal optimisés', true),
('Look for infinite loops or recursive calls without termination', 'Chercher une boucle ou une récursion sans fin', true),
('Verify no crypto mining or unauthorized processes running', 'Vérifier qu''aucun processus indésirable ne tourne (minage, par exemple)', true),
('Consider horizontal scaling if legitimate load increase', 'Envisager d''ajouter des instances si la charge a augmenté pour de bonnes raisons', true),
('Check heap dumps for growing object types (caches, unclosed connections)', 'Chercher dans un instantané du tas les objets qui s''accumulent : caches, connexions non fermées', true),
('Monitor garbage collection frequency and pause times', 'Surveiller la fréquence et les pauses du ramasse-miettes', true),
('Review recent changes for unbounded data structures or large object retention', 'Chercher dans les derniers changements des structures sans limite ou de gros objets conservés', true),
('Check for connection leaks (DB, HTTP, file handles not closed)', 'Chercher des fuites de connexions : base, HTTP, fichiers non fermés', true),
('Consider increasing memory limits or implementing cache eviction policies', 'Envisager de relever la limite de mémoire ou de borner les caches', true),
('Check heap and memory allocation', 'Vérifier le tas et les allocations de mémoire', true),
('Review recent code changes', 'Relire les derniers changements de code', true),
('Monitor garbage collection activity', 'Surveiller l''activité du ramasse-miettes', true),
('Ensure memory limits are correctly set', 'Vérifier que les limites de mémoire sont bien réglées', true),
('Continue monitoring memory trends', 'Continuer à suivre l''évolution de la mémoire', true),
('No immediate action required', 'Rien à faire dans l''immédiat', true),
('Consider optimization if usage trends upward', 'Envisager une optimisation si l''usage continue d''augmenter', true),
('Compare traffic with previous time periods', 'Comparer le trafic à celui des périodes précédentes', true),
('Check ingress or routing configuration', 'Vérifier la configuration du routage et de l''ingress', true),
('Verify main endpoints availability', 'Vérifier que les principaux endpoints répondent', true),
('Monitor error rate and latency for further signals', 'Surveiller le taux d''erreur et la latence', true),
('Check application logs for exceptions', 'Chercher les exceptions dans les journaux de l''application', true),
('Vérifier migrations DB et dépendances externes', 'Vérifier les migrations de la base de données et les dépendances externes', true),
('Considérer rollback si le taux reste élevé', 'Envisager un retour en arrière si le taux reste élevé', true),
('Inspect slow queries / traces', 'Examiner les requêtes lentes et les traces', true),
('Vérifier dépendances externes et timeouts', 'Vérifier les dépendances externes et les délais d''attente', true),
('Rollback si la latence reste élevée', 'Revenir en arrière si la latence reste élevée', true),
('Profiler CPU (hotspots, N+1, boucles)', 'Profiler le CPU : points chauds, requêtes N+1, boucles', true),
('Vérifier saturation pool / blocages', 'Vérifier si un pool est saturé ou bloqué', true),
('Envisager rollback si persistant', 'Envisager un retour en arrière si cela persiste', true),
('Inspect heap / GC', 'Examiner le tas et le ramasse-miettes', true),
('Revue des allocations récentes', 'Relire les allocations de mémoire récentes', true),
('Rollback si la dérive persiste', 'Revenir en arrière si la dérive persiste', true),
('Check database connectivity', 'Vérifier la connexion à la base de données', true),
('Check error logs for failing endpoints', 'Chercher dans les journaux d''erreurs les endpoints en échec', true),
('Check upstream dependencies', 'Vérifier les services dont l''application dépend', true),
('Consider horizontal scaling', 'Envisager d''ajouter des instances', true),
('Consider rollback if degradation persists', 'Envisager un retour en arrière si la dégradation persiste', true),
('Consider rollback if errors persist', 'Envisager un retour en arrière si les erreurs persistent', true),
('Consider rollback if latency remains high', 'Envisager un retour en arrière si la latence reste haute', true),
('Consider rollback if recovery is slow', 'Envisager un retour en arrière si le rétablissement tarde', true),
('Consider scaling or increasing memory limits', 'Envisager d''ajouter des instances ou de relever la limite de mémoire', true),
('Enable request tracing', 'Activer le traçage des requêtes', true),
('Inspect application error logs', 'Examiner les journaux d''erreurs de l''application', true),
('Inspect error logs and traces', 'Examiner les journaux d''erreurs et les traces', true),
('Inspect slow endpoints and traces', 'Examiner les endpoints lents et leurs traces', true),
('Inspect slow queries or external API calls', 'Examiner les requêtes lentes et les appels d''API externes', true),
('Optimize hot paths in the code', 'Optimiser les chemins les plus coûteux du code', true),
('Profile CPU usage and hot paths', 'Profiler le CPU et les chemins les plus coûteux du code', true),
('Profile CPU usage patterns', 'Profiler l''usage du CPU', true),
('Review recent changes for inefficiencies', 'Chercher dans les derniers changements ce qui est devenu coûteux', true),
('Review recent code changes for inefficiencies', 'Chercher dans le code récent ce qui est devenu coûteux', true),
('Review recent configuration or code changes', 'Relire les derniers changements de configuration ou de code', true),
('Validate recent configuration or code changes', 'Valider les derniers changements de configuration ou de code', true),
('Validate recent deployment configuration', 'Valider la configuration du dernier déploiement', true),
('Verify ingress, routing, and load balancer health', 'Vérifier l''ingress, le routage et la santé du répartiteur de charge', true)
) t (source, french, shown)
on conflict (source) do update set
    french = case when e.french = e.shipped then excluded.french else e.french end,
    shown = case when e.french = e.shipped then excluded.shown else e.shown end,
    shipped = excluded.shipped
where e.shipped <> excluded.shipped;

-- Which French a text has --------------------------------------------------------------------------------------------------
-- The form of a text with {placeholders}, as a regular expression with a group for each that a letter may repeat.  Such a group
-- holds a number or a word, never an address.
create or replace function public.email_engine_pattern(source text) returns text
language sql immutable strict
set search_path = pg_catalog, pg_temp
as $$
select '^' || regexp_replace(
    regexp_replace(regexp_replace(source, '([].^$*+?(){}|\\[])', '\\\1', 'g'), '\\\{(any|url)\\\}', '.*', 'g'),
    '\\\{[a-z]+\\\}', '([A-Za-z0-9_.]{1,40})', 'g') || '$'
$$;
comment on function public.email_engine_pattern(text) is 'The regular expression that a text of this form matches; see email_engine_texts.source.';
revoke all on function public.email_engine_pattern(text) from public;

-- The French of one form for one text that matches it.
create or replace function public.email_engine_fill(source text, french text, said text) returns text
language plpgsql immutable strict
set search_path = pg_catalog, pg_temp
as $$
declare
    names constant text[] := array(select m[1] from regexp_matches(source, '\{([a-z]+)\}', 'g') with ordinality r (m, place) where m[1] not in ('any', 'url') order by place);
    found constant text[] := regexp_match(said, public.email_engine_pattern(source));
    filled text := french;
begin
    for i in 1..cardinality(names) loop
        filled := replace(filled, '{' || names[i] || '}', case when found[i] ~ '^\d+\.\d+$' then replace(found[i], '.', ',') else found[i] end);
    end loop;
    return filled;
end
$$;
comment on function public.email_engine_fill(text, text, text) is 'A French sentence with its {placeholders} filled from the engine''s text; decimals get their comma.';
revoke all on function public.email_engine_fill(text, text, text) from public;

create or replace function public.email_french(texts text[])
returns table (said text, french text, shown boolean)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select a.said, coalesce(exact.french, form.french), coalesce(exact.shown, form.shown, false)
    from (
        select t as said, left(btrim(regexp_replace(t, '\s+', ' ', 'g')), 2000) as bare
        from unnest(texts) t
        where t is not null
        group by t
    ) a
    left join public.email_engine_texts exact on exact.source = a.bare
    left join lateral (
        -- The longest form says most.
        select public.email_engine_fill(e.source, e.french, a.bare) as french, e.shown
        from public.email_engine_texts e
        where exact.source is null and strpos(e.source, '{') > 0 and starts_with(a.bare, split_part(e.source, '{', 1))
        and a.bare ~ public.email_engine_pattern(e.source)
        order by length(e.source) desc
        limit 1
    ) form on true;
end
$$;
comment on function public.email_french(text[]) is
'What letters say for each of these texts of the engine: our French (null: unknown, left out) and whether a letter shows it at all.';
revoke all on function public.email_french(text[]) from public;

select public.email_grant('execute on function public.email_engine_pattern(text), public.email_engine_fill(text, text, text), public.email_french(text[])', r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name);
select public.email_grant('select on public.email_engine_texts', r.role_name)
from unnest(array['email_worker', 'email_reader', 'email_admin']) r (role_name);
select public.email_grant('insert, update, delete on public.email_engine_texts', 'email_admin');
