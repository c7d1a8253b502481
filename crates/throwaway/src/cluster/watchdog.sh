# Leads the process group of one throw-away Postgres and outlives whoever started it.
# $1 is the cluster's directory. Standard input is a pipe that its owner holds open and never writes to:
# when it closes, for whatever reason (dropped, Ctrl-C, kill -9), Postgres is stopped and the directory removed.
trap '' HUP INT QUIT TERM
while read -r _; do :; done

dir=$1
pidfile=$dir/data/postmaster.pid
tries=0
while [ -d "$dir" ] && [ "$tries" -lt 100 ]; do
    tries=$((tries + 1))
    # Group 0 is this script's own: initdb and the postmaster are started into it. SIGQUIT is Postgres's immediate
    # stop. (Backends lead groups of their own; the postmaster takes them along.)
    kill -CONT 0
    kill -QUIT 0
    pid=$(sed -n 1p "$pidfile" 2>/dev/null)
    if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 90 ]; then
        sleep 0.1
        continue
    fi
    # A postmaster that was killed with SIGKILL leaves its System V segment; line 7 is "key id".
    segment=$(sed -n 7p "$pidfile" 2>/dev/null)
    [ -z "$segment" ] || ipcrm -m "${segment##* }" 2>/dev/null
    rm -rf -- "$dir" 2>/dev/null || sleep 0.1
done
