/*
 * The lease of one target and the landing push, exhaustively, for three clients: acquire, break (anybody may take
 * anybody for dead at any moment: that is every pause past the TTL), test, land, release, lost requests and answers,
 * a person who pushes to the target directly, and two jobs that anybody may land.
 *
 * A commit is the row of what is on it, in base 4: 1 and 2 are jobs, 3 is somebody's direct push. So a candidate is the
 * same commit whoever builds it, as it is for git when a head is on the tip already. A value of the lease is an event;
 * its name is given by who wrote it and a count: the nonce.
 *
 * What each push relies on is compared by the server as git does it: a ref that would get the value which it has is not
 * sent, and so its guard is not compared.
 *
 * Left out on purpose, each must break a promise: NO_BUMP (a landing does not write the lease), NO_NONCE (events of the
 * same words are the same object), NO_ATOMIC (each ref is decided alone), NO_BASE (the tip is taken as it is at the
 * push, not as the candidate was built on it).
 */

#ifdef NO_BUMP
#define GUARDED true
#else
#define GUARDED (lease == mine)
#endif

#define CLIENTS 3
#define JOBS 2
#ifndef ROUNDS
#define ROUNDS 1
#endif
#define DEEP 64          /* rows of four would not fit */

byte target = 0;         /* the row of what is on the target */
byte lease = 0;          /* the event at the tip of the lease; 0: never held */
byte epoch = 0;
byte holder = 0;         /* whose lease it is, 1..CLIENTS; 0: free */
byte done[JOBS + 2];     /* the event that made a job done; 0: submitted */
byte landings[JOBS + 2]; /* how often it came onto the target */
bool tested[DEEP];       /* rows that a gate was green for */
byte ended = 0;          /* clients and people who went home */

/* Whether a row has job j on it. */
inline contains(row, j, answer) {
	rest = row;
	answer = false;
	do
	:: rest == 0 -> break
	:: rest % 4 == j -> answer = true; break
	:: else -> rest = rest / 4
	od;
	rest = 0
}

/* The next event's name: its nonce (who, and a count) makes it different from all others. */
inline event(name, words) {
#ifdef NO_NONCE
	name = words;
#else
	nonce++;
	name = me * 16 + nonce;
#endif
}

/* The server takes one lease update; `won` says whether the client is told so. */
inline push_lease(old, new, new_epoch, new_holder) {
	atomic {
		if
		:: won = false                    /* the request was lost */
		:: lease == new -> won = true     /* "up to date": the guard is not looked at */
		:: lease != new && lease == old ->
			assert(new_epoch >= epoch);   /* I5: an epoch never falls */
			lease = new;
			epoch = new_epoch;
			holder = new_holder;
			won = true
		:: lease != new && lease != old -> won = false
		fi
	}
}

proctype client(byte me) {
	byte seen_lease, seen_epoch, seen_holder, tip, job, mine, mine_epoch, candidate, rest, round, was, nonce;
	bool won, there, sure;

	do
	:: round == ROUNDS -> break
	:: round < ROUNDS ->
		round++;
		/* observe: not one moment, a server reads ref by ref */
		atomic {
			seen_lease = lease; seen_epoch = epoch; seen_holder = holder;
			if
			:: job = 1
			:: job = 2
			fi;
			if
			:: done[job] != 0 -> goto next
			:: else
			fi
		};
		tip = target;
		/* idempotence: what is on the target already is only written down */
		d_step { contains(tip, job, there) };
		if
		:: there ->
			atomic {
				if
				:: done[job] == 0 -> done[job] = me
				:: else
				fi
			};
			goto next
		:: else
		fi;
		/* the candidate, then the lease: free, or whoever has it is taken for dead, or we wait */
		if
		:: tip * 4 + job >= DEEP -> goto next
		:: else -> candidate = tip * 4 + job
		fi;
		if
		:: seen_holder != 0 && seen_holder != me -> goto next
		:: true
		fi;
		mine_epoch = seen_epoch + 1;
		d_step { event(mine, 100 + mine_epoch) };
		push_lease(seen_lease, mine, mine_epoch, me);
		if
		:: !won ->
			/* lost race, or lost answer: look; ours only with our nonce on it */
			if
			:: lease != mine -> goto next
			:: else
			fi
		:: else
		fi;
		/* the gate; here everybody else may act, for ever */
		tested[candidate] = true;
		/* land: target, lease, job in one push. The lease is bumped and given back in it. */
		d_step { event(was, 200 + mine_epoch) };
#ifdef NO_BASE
		tip = target;
#endif
#ifdef NO_ATOMIC
		atomic {
			if
			:: target == tip ->
				assert(holder == me && epoch == mine_epoch);
				target = candidate;
				landings[job]++;
				assert(landings[job] <= 1)
			:: else
			fi
		};
		atomic {
			if
			:: lease == mine -> lease = was; holder = 0
			:: else
			fi
		};
		atomic {
			if
			:: done[job] == 0 -> done[job] = me
			:: else
			fi
		};
#else
		atomic {
			sure = true;
			if
			:: sure = false              /* the request was lost */
			:: true
			fi;
			if
			:: (sure && target == tip && done[job] == 0 && GUARDED) ->
				/* I1: it descends from the tip, and a gate was green for exactly this */
				assert(candidate / 4 == target);
				assert(tested[candidate]);
				/* I5: only who holds the lease, at this very moment */
				assert(holder == me && epoch == mine_epoch);
				target = candidate;
				landings[job]++;
				assert(landings[job] <= 1);  /* I2 */
				done[job] = me;
#ifndef NO_BUMP
				lease = was;
				holder = 0
#endif
			:: else
			fi
		};
#endif
		/* the answer may be lost: nothing that follows depends on it. Not landed: the lease is given back. */
		if
		:: lease == mine ->
			d_step { event(was, 200 + mine_epoch) };
			push_lease(mine, was, mine_epoch, 0)
		:: else
		fi;
	next:	skip;
		/* what is known no more must not tell states apart */
		d_step {
			seen_lease = 0; seen_epoch = 0; seen_holder = 0; tip = 0; job = 0; mine = 0; mine_epoch = 0;
			candidate = 0; was = 0; rest = 0; won = false; there = false; sure = false
		}
	od;
	ended++
}

/* Somebody with the right to push, who knows nothing of all this. */
active proctype person() {
	byte tip = target;
	atomic {
		if
		:: target == tip && tip * 4 + 3 < DEEP -> target = tip * 4 + 3
		:: else
		fi
	};
	ended++
}

init {
	atomic {
		byte i = 1;
		do
		:: i <= CLIENTS -> run client(i); i++
		:: else -> break
		od
	};
	/* At the end: what is done is on the target, once (I2). */
	ended == CLIENTS + 1;
	byte rest;
	bool there;
	contains(target, 1, there);
	assert(done[1] == 0 || there);
	contains(target, 2, there);
	assert(done[2] == 0 || there)
}
