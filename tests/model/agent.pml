/* The resume protocol of docs/agent-protocol.md, as small as its promises allow: one agent whose command writes BYTES
 * bytes and ends, one backend with a spool and a record that outlive it, a connection that breaks at any moment, a
 * backend that dies between any two of its steps. docs/agent-protocol.md, "The model", says what stands for what.
 *
 * Promises, checked in every reachable state:
 *   no byte lost       the spool ends at BYTES when the exit is recorded; the agent never gives up a byte it lacks
 *   none doubled       a byte is appended at the spool's end only
 *   exit once          the exit is recorded exactly once; the agent does not leave before
 *   streams            in one numbering frames arrive in order, each once
 *   it ends            there is no state from which the exit cannot be delivered (no invalid end state, no livelock)
 *
 * A macro named after a mistake makes it: each has to be found (tools/check-model.sh).
 */
#ifndef BYTES
#define BYTES 2
#endif
#define WINDOW 1 /* bytes that may be sent unconfirmed: one less than there are, so that EXIT overtakes output */
#define EXECS  1 /* frames of an exec, numbered as EXIT is */
#ifndef BREAKS
#define BREAKS 2
#endif
#ifndef CRASHES
#define CRASHES 2
#endif

mtype = { HELLO, WELCOME, OUTPUT, NUMBERED, CREDIT };
#define EXIT 9 /* the content of a numbered frame; else it is the number of the exec's frame */

/*                  HELLO     session, received, ended, produced, oldest
 *                  OUTPUT    offset
 *                  NUMBERED  content                                             */
chan up = [3] of { mtype, byte, byte, bool, byte, byte };
/*                  WELCOME   session, received, offset, exit_known
 *                  CREDIT    received, confirmed output                          */
chan down = [3] of { mtype, byte, byte, byte, bool };

bool connected; /* both ends lose it in one moment: what is on the way is lost with it */
byte connection; /* its number: what was meant for an older one is not sent on it */
byte breaks, crashes;

/* What outlives the backend. */
byte spooled;
byte exits;    /* transitions to "exited" that were recorded */
byte sessions; /* names given out: random, never the same twice */

bool left; /* the agent is gone for good */

inline drop_connection()
{
    connected = false;
    do
    :: up ? [HELLO, _, _, _, _, _] -> up ? HELLO, _, _, _, _, _
    :: up ? [OUTPUT, _, _, _, _, _] -> up ? OUTPUT, _, _, _, _, _
    :: up ? [NUMBERED, _, _, _, _, _] -> up ? NUMBERED, _, _, _, _, _
    :: down ? [WELCOME, _, _, _, _] -> down ? WELCOME, _, _, _, _
    :: down ? [CREDIT, _, _, _, _] -> down ? CREDIT, _, _, _, _
    :: empty(up) && empty(down) -> break
    od
}

/* ---- the agent ---- */

byte produced, confirmed, sent; /* of the main output */
bool ended;
byte session;                   /* 0: none yet */
bool greeted, hello_sent;
byte kept[4];                   /* numbered frames of this session; the first is number n_confirmed */
byte n_kept, n_confirmed, n_sent; /* n_sent: on this connection, from n_confirmed on */
byte execs;                     /* frames of the exec that were made in this session */
bool exit_known;                /* to the backend, as far as the agent knows */

inline keep(content)
{
    kept[n_kept] = content;
    n_kept++
}

inline confirm_numbered(received)
{
    do
    :: n_confirmed < received ->
        assert(n_kept > 0);
        kept[0] = kept[1]; kept[1] = kept[2]; kept[2] = kept[3]; kept[3] = 0;
        n_kept--; n_confirmed++;
        if
        :: n_sent > 0 -> n_sent--
        :: else
        fi
    :: else -> break
    od
}

inline confirm_output(offset)
{
    if
    :: offset > confirmed -> confirmed = offset
    :: else
    fi
}

inline take_welcome(a_session, a_received, a_offset, a_known)
{
    n_sent = 0;
    exit_known = a_known;
    if
    :: a_session != session ->
        session = a_session;
        n_kept = 0; n_confirmed = 0; execs = 0;
        kept[0] = 0; kept[1] = 0; kept[2] = 0; kept[3] = 0;
#ifndef EXIT_NOT_REPEATED
        /* It was kept in the numbering that is gone. HELLO may have been too early to tell it, and the backend may
         * die before it has recorded what HELLO told. */
        if
        :: ended && !a_known -> keep(EXIT)
        :: else
        fi
#endif
    :: else -> confirm_numbered(a_received)
    fi;
    confirm_output(a_offset);
    sent = confirmed;
    greeted = true
}

proctype Agent()
{
    byte x, y, z;
    bool b;

    do
    /* the command */
    :: atomic { produced < BYTES && session != 0 -> produced++ }
    :: atomic { produced == BYTES && !ended && session != 0 -> ended = true; exit_known = false; keep(EXIT) }
    /* an exec, while the command runs */
    :: atomic { greeted && !ended && execs < EXECS && n_kept < 3 -> execs++; keep(execs) }
    /* the connection */
    :: atomic { !connected -> connected = true; connection++; greeted = false; hello_sent = false }
    :: atomic { connected && !hello_sent && nfull(up) ->
            up ! HELLO, session, 0, ended, produced, confirmed; hello_sent = true }
    :: atomic { down ? WELCOME, x, y, z, b -> take_welcome(x, y, z, b); x = 0; y = 0; z = 0; b = false }
    :: atomic { down ? CREDIT, x, y, _, _ -> confirm_numbered(x); confirm_output(y); x = 0; y = 0 }
    /* output, from where the backend misses it */
    :: atomic { greeted && connected && sent < produced && sent - confirmed < WINDOW && nfull(up) ->
            up ! OUTPUT, sent, 0, 0, 0, 0; sent++ }
    /* numbered frames, kept until they are confirmed */
    :: atomic { greeted && connected && n_sent < n_kept && nfull(up) ->
            up ! NUMBERED, kept[n_sent], 0, 0, 0, 0; n_sent++ }
    /* the end: the exit is known, or every numbered frame has been confirmed, and all output is */
    :: atomic { greeted && connected && ended && (exit_known || n_kept == 0) && confirmed == produced ->
            assert(spooled == BYTES);
#ifndef CONFIRM_BEFORE_SPOOL /* it breaks this promise, too: the other one is to be seen */
            assert(exits == 1);
#endif
            left = true; drop_connection(); break }
    od
}

/* ---- the backend ---- */

byte b_session, b_received, b_taken, told_received, told_taken;
byte b_connection; /* the one that was greeted */
bool exit_pending, exit_told;
byte b_execs;

#define CAN_SEND (connected && b_connection == connection && nfull(down))

/* kill -9: what is in memory is gone, and its end of the connection. */
inline forget()
{
    b_session = 0; b_received = 0; b_taken = 0; told_received = 0; told_taken = 0;
    b_connection = 0; exit_pending = false; exit_told = false; b_execs = 0
}

#define MAY_DIE :: atomic { crashes < CRASHES && !left -> crashes++; forget(); drop_connection(); goto up_again }

inline tell_exit()
{
    if
    :: exit_pending && b_taken == BYTES ->
        if
        :: atomic { true -> exit_pending = false; exit_told = true;
                assert(spooled == BYTES); exits++; assert(exits == 1) }
        MAY_DIE
        fi
    :: else
    fi
}

inline ack_output()
{
    if
    :: atomic { CAN_SEND -> down ! CREDIT, b_received, b_taken, 0, 0;
            told_received = b_received; told_taken = b_taken }
    :: atomic { else -> skip } /* later */
    MAY_DIE
    fi
}

proctype Backend()
{
    byte s, r, o, produced_, oldest;
    bool e, known, named;

up_again:
    s = 0; r = 0; o = 0; produced_ = 0; oldest = 0; e = false; known = false; named = false;
    do
    :: atomic { up ? HELLO, s, r, e, produced_, oldest ->
            named = (b_session != 0 && s == b_session);
            known = (exits > 0);
            /* What was confirmed must be here: the agent has it no more. */
            assert(spooled >= oldest);
#ifdef RESUME_FROM_THE_START
            b_taken = oldest
#else
            b_taken = spooled
#endif
            ; told_taken = b_taken; b_connection = connection };
        if
        :: atomic { !named -> sessions++; b_session = sessions; b_received = 0; b_execs = 0 }
        :: atomic { named -> skip }
        fi;
        if
        :: atomic { CAN_SEND -> down ! WELCOME, b_session, b_received, b_taken, known;
                told_received = b_received }
        :: atomic { else -> skip } /* broken meanwhile */
        MAY_DIE
        fi;
        if
        :: atomic { !named && e && !known && !exit_told -> exit_pending = true }
        :: atomic { else -> skip }
        fi;
        tell_exit();
        atomic { s = 0; r = 0; e = false; produced_ = 0; oldest = 0; known = false; named = false }
    :: atomic { up ? OUTPUT, o, _, _, _, _ ->
            assert(o <= b_taken) };             /* a gap would be a violation of the protocol */
        if
        :: o < b_taken -> skip                  /* it has that byte already */
        :: else ->
#ifdef CONFIRM_BEFORE_SPOOL
            b_taken++;
            ack_output();
            b_taken--;
#endif
            if
            :: atomic { true -> assert(spooled == o); spooled++; b_taken++ }
            MAY_DIE
            fi;
#ifdef CONFIRM_BEFORE_EXIT
            ack_output();
            tell_exit();
#else
            tell_exit();
            ack_output();
#endif
        fi;
        o = 0
    :: atomic { up ? NUMBERED, o, _, _, _, _ };
#ifdef COUNT_BEFORE_TAKING
        b_received++;
        ack_output();
        b_received--;
#endif
        if
        :: o == EXIT ->
            if
            :: atomic { !exit_told -> exit_pending = true }
            :: atomic { else -> skip }
            fi;
            tell_exit()
        :: else ->
            atomic { assert(o == b_execs + 1); b_execs = o }
        fi;
        atomic { b_received++; o = 0 }
    /* what has not been confirmed yet, in a CREDIT of its own */
    :: atomic { CAN_SEND && (told_received != b_received || told_taken != b_taken) ->
            down ! CREDIT, b_received, b_taken, 0, 0; told_received = b_received; told_taken = b_taken }
    MAY_DIE
    :: atomic { left -> break }
    od
}

/* ---- what breaks ---- */

proctype Network()
{
    do
    :: atomic { connected && breaks < BREAKS && !left -> breaks++; drop_connection() }
    :: atomic { left || breaks == BREAKS -> break }
    od
}

init {
    atomic { run Agent(); run Backend(); run Network() }
}

ltl delivered { <> (left && exits == 1 && spooled == BYTES) }
