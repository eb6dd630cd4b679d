/*
 * Edges of the dependency graph, exhaustively, for three people who each add one edge between three jobs. A reader sees
 * every ref at a moment of its own. An edit is decided upon a snapshot that is settled: the graph was at the same event
 * in a look before, and the job which that event names was read as the event says (gitorch/engine/edges.py).
 *
 * Left out on purpose, each must close a cycle: NO_GRAPH (an edit writes the job alone), ONE_LOOK (no look before),
 * NO_AGREE (the job of the last edit is not compared).
 */

#define PEOPLE 3

byte after[3];              /* what each job waits for, a bit a job */
byte graph = 0;             /* how many edits there were: the event */
byte graph_job = 3;         /* which job the last edit was of */
byte graph_after = 0;       /* and what that waits for since */
bool locked[4];             /* the refs of the three jobs and of the graph, by the server */

/* Whether `to` is reached from what `from` waits for, in the edges that were read. */
inline reaches(from, to, answer) {
	met = read[from];
	met = met | (((met >> 0) & 1) * read[0]) | (((met >> 1) & 1) * read[1]) | (((met >> 2) & 1) * read[2]);
	met = met | (((met >> 0) & 1) * read[0]) | (((met >> 1) & 1) * read[1]) | (((met >> 2) & 1) * read[2]);
	answer = ((met >> to) & 1);
	met = 0
}

/* I6: no edge that is written closes a cycle. */
inline write_job() {
	d_step {
		after[job] = read[job];
		read[0] = after[0]; read[1] = after[1]; read[2] = after[2];
		reaches(job, job, cycle);
		assert(!cycle)
	}
}

inline write_graph() {
	atomic { graph++; graph_job = job; graph_after = read[job] }
}

/* Both refs are compared and locked together, and then written one after the other: readers may see one without the
 * other. */
inline publish() {
	atomic {
		if
#ifdef NO_GRAPH
		:: after[job] == read[job] && !locked[job] -> locked[job] = true
#else
		:: after[job] == read[job] && graph == seen && !locked[job] && !locked[3] ->
			locked[job] = true;
			locked[3] = true
#endif
		:: else -> goto home       /* a lost race */
		fi
	};
	read[job] = read[job] | (1 << other);
	if
	:: write_job(); write_graph()
	:: write_graph(); write_job()
	fi;
	atomic { locked[job] = false; locked[3] = false }
}

proctype person(byte job; byte other) {
	byte before, seen, seen_job, seen_after, met, left;
	byte read[3];
	bool cycle;

#ifndef ONE_LOOK
	before = graph;
#endif
	/* the look: four refs, in any order, each at its own moment */
	left = 15;
	do
	:: left & 1 -> atomic { read[0] = after[0]; left = left - 1 }
	:: left & 2 -> atomic { read[1] = after[1]; left = left - 2 }
	:: left & 4 -> atomic { read[2] = after[2]; left = left - 4 }
	:: left & 8 -> atomic { seen = graph; seen_job = graph_job; seen_after = graph_after; left = left - 8 }
	:: left == 0 -> break
	od;
	skip;
	d_step { reaches(other, job, cycle) };
	if
#ifndef ONE_LOOK
	:: before != seen -> skip      /* not settled: it would look again */
#endif
#ifndef NO_AGREE
	:: seen_job < 3 && read[seen_job] != seen_after -> skip
#endif
	:: cycle -> skip               /* refused */
	:: else -> publish()
	fi;
home:
	skip
}

inline somebody() {
	if
	:: run person(0, 1)
	:: run person(0, 2)
	:: run person(1, 0)
	:: run person(1, 2)
	:: run person(2, 0)
	:: run person(2, 1)
	fi
}

/* The first edge is from 0 to 1: which jobs are called how makes no difference. */
init { atomic { run person(0, 1); somebody(); somebody() } }
