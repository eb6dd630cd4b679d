/*
 * The claim of one job, exhaustively, for three workers: claim, hand in, reap (anybody may take anybody for dead at any
 * moment), lost requests, lost answers, and pushes that the server applies when their sender has long given them up.
 *
 * Left out on purpose, each must break a promise: NO_NONCE (events of the same words are the same object, and a push of
 * what is there already is "up to date"), NO_TOKEN (who hands in looks only whether the job is claimed), NO_GUARD (a
 * push does not name the old value), BELIEVE (an answer that was lost counts as yes).
 */

#define WORKERS 3
#ifndef ROUNDS
#define ROUNDS 2
#endif

#ifdef NO_NONCE
#define BIGGEST 128
#else
#define BIGGEST 32
#endif

#define QUEUED 0
#define CLAIMED 1
#define SUBMITTED 2

byte job = 1;               /* the event at the tip of the job's chain */
byte state = QUEUED;
byte owner = 0;             /* whose claim it is; as good as its token */
byte author[BIGGEST];           /* who wrote which event onto the chain */
byte ended = 0;

chan late = [2] of { byte, byte, byte, byte, byte };

inline event(name, words) {
#ifdef NO_NONCE
	name = words;
#else
	nonce++;
	name = me * 8 + nonce;
#endif
}

/* The server decides one update. A value that is there already is not sent, and its guard is not compared. */
inline decide(who, old, new, new_state, new_owner, answer) {
	if
	:: job == new -> answer = true
#ifdef NO_GUARD
	:: job != new ->
#else
	:: job != new && job == old ->
#endif
		/* I5: only who has the claim ends it by handing in; and nothing follows that */
		assert(state != SUBMITTED);
		assert(new_state != SUBMITTED || (state == CLAIMED && owner == who));
		/* I4: nobody claims what is claimed */
		assert(new_state != CLAIMED || state == QUEUED);
		job = new;
		state = new_state;
		owner = new_owner;
		author[new] = who;
		answer = true
#ifndef NO_GUARD
	:: job != new && job != old -> answer = false
#endif
	fi
}

/* One push and what its sender is told. */
inline push(old, new, new_state, new_owner) {
	atomic {
		if
		:: decide(me, old, new, new_state, new_owner, told)
		:: decide(me, old, new, new_state, new_owner, told); told = false; unsure = true  /* the answer was lost */
		:: told = false; unsure = true                                                    /* the request was */
		:: nfull(late) -> late ! me, old, new, new_state, new_owner; told = false; unsure = true
		fi
	};
	if
	:: unsure ->
#ifdef BELIEVE
		told = true;
#else
		/* look whether our event is on the chain */
		d_step { told = (author[new] == me) };
#endif
		unsure = false
	:: else
	fi
}

proctype worker(byte me) {
	byte seen, seen_state, seen_owner, mine, round, nonce;
	bool told, unsure;

	do
	:: round == ROUNDS - (me == WORKERS) -> break   /* the last one tries less often: seconds instead of minutes */
	:: round < ROUNDS - (me == WORKERS) ->
		round++;
		atomic { seen = job; seen_state = state; seen_owner = owner };
		if
		:: seen_state == QUEUED ->
			event(mine, 100);
			push(seen, mine, CLAIMED, me);
			if
			:: told ->
				/* I4: who is told that it has the job did get it */
				assert(author[mine] == me);
				/* the work; then look again, and hand in */
				atomic { seen = job; seen_state = state; seen_owner = owner };
				if
#ifdef NO_TOKEN
				:: seen_state == CLAIMED ->
#else
				:: seen_state == CLAIMED && seen_owner == me ->
#endif
					event(mine, 110);
					push(seen, mine, SUBMITTED, 0)
				:: else
				fi
			:: else
			fi
		:: seen_state == CLAIMED ->
			if
			:: event(mine, 120); push(seen, mine, QUEUED, 0)  /* taken for dead */
			:: true
			fi
		:: seen_state == SUBMITTED -> break
		fi;
		d_step { seen = 0; seen_state = 0; seen_owner = 0; mine = 0; told = false; unsure = false }
	od;
	ended++
}

/* What comes late comes at any time, or never. */
active proctype network() {
	byte who, old, new, new_state, new_owner;
	bool told;
	do
	:: atomic {
		late ? who, old, new, new_state, new_owner;
		decide(who, old, new, new_state, new_owner, told);
		who = 0; old = 0; new = 0; new_state = 0; new_owner = 0; told = false
	}
	:: ended == WORKERS -> break
	od
}

init {
	atomic {
		byte i = 1;
		do
		:: i <= WORKERS -> run worker(i); i++
		:: else -> break
		od
	}
}
