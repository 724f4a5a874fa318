"""Words and phrases about movement, out of which `server.training.text_corpus` makes sentences.

In them {p} stands for a possessive and {d} for left or right. An action is a verb in its base form and what follows.
"""

from __future__ import annotations


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(" ".join(phrase.split()) for phrase in text.split(";"))


LOCOMOTION = _phrases("""
    walk; stroll; march; stride; wander; saunter; amble; pace; step; tiptoe; trudge; plod; limp; hobble; shuffle;
    stagger; stumble; strut; swagger; prowl; sneak; creep; crawl; run; jog; sprint; dash; race; rush; hurry;
    charge; gallop; trot; bolt; flee; skip; hop; leap; move; go; travel; advance; roam; patrol; hike; parade;
    scurry; lurch; wade; drift; head; walk slowly; walk quickly; walk fast; run fast; run quickly; run away; take a
    few steps; take a stroll; go for a walk; go for a run; go jogging; start walking; start running; keep walking;
    keep running; walk on tiptoe; walk on foot; walk with a cane; walk with a limp; walk around; run around; pace
    back and forth; break into a run; slow down to a walk; speed up; make {p} way
""")

GESTURES = _phrases("""
    wave; wave {p} {d} hand; wave {p} {d} arm; wave with the {d} hand; wave with both hands; wave both arms; wave
    hello; wave goodbye; wave at someone; wave to the crowd; wave to a friend; greet someone; greet the player; say
    hello; say hi; say goodbye; say bye; bid farewell; signal to someone; beckon someone over; call someone over;
    call out; hail a taxi; flag someone down; motion for someone to come; gesture; gesture with both hands; bow;
    bow deeply; bow politely; take a bow; bow to the audience; bow {p} head; bend forward; bend over; bend at the
    waist; curtsy; salute; nod; nod {p} head; shake {p} head; shrug; clap; clap {p} hands; applaud; cheer; raise
    {p} {d} hand; raise {p} {d} arm; raise both hands; raise both arms; raise a hand; raise {p} hands above {p}
    head; lift {p} {d} hand; lift {p} {d} arm; lift both arms; lift up both hands; put {p} {d} hand up; put {p}
    hands up; put both hands in the air; throw {p} arms up; hold up {p} {d} hand; hold {p} arms out; hold both
    hands high; stretch {p} arms; stretch; reach up; reach out; reach for the sky; lower {p} {d} hand; lower {p}
    arms; drop {p} hands; point; point to the {d}; point forward; point at something; point up; cross {p} arms;
    fold {p} arms; put {p} hands on {p} hips; scratch {p} head; touch {p} face; rub {p} eyes; surrender; ask for
    attention; ask a question; volunteer; vote; give a high five; shake hands; give a thumbs up; pray; beg; blow a
    kiss; hug someone; flex {p} muscles; celebrate; cheer with both arms; look around; look {d}; look up; look
    down; look at {p} watch; answer the phone; make a phone call; drink from a cup; eat; take a photo; knock on a
    door; open a door; push a button; pull a lever; push a box; pull a rope; carry a box; pick something up; pick
    up a box; put something down; drop something; throw a ball; throw a stone; throw something; toss a ball; catch
    a ball; bowl; swing a bat; swing a racket; play tennis; play golf; play the guitar; play the piano; conduct an
    orchestra; cast a spell; wipe the table; wash the window; sweep the floor; dig; chop wood; hammer a nail; paint
    a wall; stir a pot
""")

COMBAT = _phrases("""
    kick; kick with the {d} leg; kick with {p} {d} foot; kick high; kick a ball; give a kick; do a roundhouse kick;
    do a side kick; do a front kick; stomp; knee someone; punch; punch with the {d} hand; punch forward; throw a
    punch; throw a {d} hook; throw an uppercut; jab; box; spar; shadowbox; hit; strike; slap; slap someone; smack;
    slash; slash with a sword; swing a sword; swing an axe; swing a club; cut; stab; thrust a spear; attack; attack
    the enemy; fight; fight back; practise karate; practice karate; do karate; do martial arts; do kung fu; do tai
    chi; block; block a punch; dodge; duck; parry; guard; raise a shield; shoot; shoot a bow; draw a sword; aim a
    rifle; fire a gun; reload; tackle; push someone; shove someone; grab; wrestle; get hit; get punched; take a
    hit; flinch; die; collapse; recoil; take cover; hide; get ready to fight; take a fighting stance; taunt
""")

BODY = _phrases("""
    dance; dance happily; dance salsa; dance the salsa; dance ballet; dance a waltz; dance to the music; do a
    dance; do a little dance; break dance; boogie; groove; bust a move; do a pirouette; waltz; tap dance; do the
    moonwalk; do the robot; sway; swing {p} hips; shake {p} body; twirl; spin; spin around; spin in place;
    pirouette; turn; turn around; turn {d}; turn to the {d}; turn to face the {d}; rotate; pivot; twist; do a
    u-turn; jump; jump up; jump up and down; jump forward; jump over something; jump for joy; do jumping jacks;
    leap; hop; hop on one leg; hop on {p} {d} foot; bounce; vault; do a cartwheel; do a handstand; do a backflip;
    do a somersault; roll; roll forward; dive; swim; fly; float; sit; sit down; sit on a chair; sit on the ground;
    stand; stand up; stand still; stand up straight; get up; rise; kneel; kneel down; crouch; crouch down; squat;
    do squats; do push-ups; do sit-ups; do yoga; exercise; work out; warm up; stretch {p} legs; lie down; lie on
    the ground; lean; lean forward; lean back; lean to the {d}; fall; fall down; fall over; fall backwards; trip;
    slip; stumble; faint; climb; climb a ladder; climb the stairs; climb up a rope; climb over a wall; walk up the
    stairs; go downstairs; balance; balance on one leg; stand on one leg; lift {p} {d} leg; lift {p} knee; bend {p}
    knees; shiver; tremble; breathe; breathe heavily; catch {p} breath; wait; idle; rest; sleep; do nothing;
    freeze; stop; stay; halt; yawn; laugh; cry; weep; sob; sulk; cough; sneeze; vomit; sing; talk; listen; think;
    read a book; type; skate; ski; surf; ride a horse; ride a bike; drive a car; row a boat; skip rope; lift
    weights
""")

SUBJECTS = _phrases("""
    a person; the person; someone; somebody; a figure; the figure; a man; the man; a woman; the woman; he; she; a
    guy; a girl; a boy; a child; a kid; a character; the character; the hero; the player; a soldier; a guard; a
    knight; a zombie; a villager; an old man; an old woman; an elderly person; an elderly man; a grandmother; a
    grandfather; a senior; a young man; a young woman; a teenager; a youth; a little girl; a drunk; a drunk man; a
    tired person; a tired man; an exhausted person; an exhausted runner; a weary traveller; a weary traveler; a
    happy person; a happy child; a cheerful person; a joyful woman; a sad person; a sad man; an angry person; an
    angry man; a furious man; a proud person; a proud king; a confident person; a shy person; a nervous man; a
    timid girl; a giant; an ogre; a monster; a robot; a ninja; a thief; a thug; a gangster; a warrior; a wizard; a
    princess; a queen; a king; a dancer; a boxer; a fighter; a runner; an athlete; an energetic person; a lively
    person; a feminine person; a masculine person; a macho man; an NPC; the avatar; the actor; the model; the
    enemy; the boss; a human; one person; people; this character; my character; the skeleton
""")

MANNERS = _phrases("""
    slowly; quickly; fast; carefully; cautiously; calmly; normally; casually; naturally; gently; softly; quietly;
    silently; stealthily; loudly; wearily; tiredly; sluggishly; lazily; heavily; weakly; feebly; stiffly; clumsily;
    drunkenly; unsteadily; happily; cheerfully; joyfully; merrily; gleefully; playfully; excitedly;
    enthusiastically; energetically; vigorously; dynamically; actively; briskly; lively; sadly; gloomily;
    miserably; mournfully; dejectedly; sorrowfully; angrily; furiously; aggressively; violently; menacingly;
    threateningly; proudly; confidently; arrogantly; boldly; bravely; timidly; shyly; nervously; anxiously;
    hesitantly; fearfully; gracefully; elegantly; delicately; daintily; femininely; girlishly; powerfully;
    strongly; manfully; rhythmically; musically; childishly; youthfully; politely; respectfully; solemnly;
    seriously; lightly; smoothly; suddenly; repeatedly; twice; once; three times; again; for a while; a little; a
    lot; in a tired way; in a happy way; in a sad mood; in an angry way; in a relaxed manner; with energy; full of
    energy; with great energy; with lots of energy; with little energy; with no energy left; with vigour; with
    vigor; with joy; with pride; with confidence; with a limp; with a swagger; with heavy steps; with light steps;
    with small steps; with big steps; with long strides; with feminine poise; with a spring in {p} step; like an
    old man; like an old person; like an old lady; like a grandfather; like a child; like a little kid; like a
    robot; like a zombie; like a model; like a soldier; like a giant; like a gangster; like a thug; like a drunk;
    like a ninja; like a ballerina; like a woman; like a man; like a boss; as if exhausted; as if very tired; as if
    drunk; as if in pain; as if sad; as if happy; as if furious; as if proud; as if they were old; as if they had
    no confidence; as if in a hurry; hunched over; with bent knees; with a bent back; on the spot; in place;
    looking exhausted; looking sad; looking happy; feeling great; feeling down; feeling depressed; after a long
    day; to the music; to the beat; dragging {p} feet; swinging {p} arms; with {p} head down; with {p} chest out;
    at a steady pace; at full speed; at a slow pace; in a hurry; without a care; worn out; out of breath; barely
    able to stand; old and frail; young and fresh; bursting with energy; half asleep; injured; wounded; scared;
    bored; excited; depressed; overjoyed; enraged; grumpy; delighted; heartbroken; confident; unsure
""")

ADJECTIVES = _phrases("""
    tired; exhausted; worn-out; weary; sleepy; fatigued; sluggish; old; elderly; aged; frail; happy; cheerful;
    joyful; glad; merry; energetic; lively; active; vigorous; dynamic; sad; gloomy; miserable; depressed; angry;
    furious; mad; enraged; drunk; tipsy; proud; confident; arrogant; timid; shy; insecure; nervous; scared; young;
    youthful; childish; playful; feminine; graceful; elegant; masculine; manly; macho; tough; giant; huge; tiny;
    slow; fast; brisk; calm; relaxed; musical; sneaky; injured; strong; weak; polite; normal; ordinary; heroic;
    excited; bored; lazy
""")

DIRECTIONS = _phrases("""
    forward; forwards; ahead; straight ahead; in a straight line; backward; backwards; back; in reverse; away; to
    the {d}; to {p} {d}; towards the {d}; toward the {d}; sideways; sideways to the {d}; diagonally; diagonally to
    the {d}; in a circle; in circles; clockwise; counterclockwise; anticlockwise; around; around the corner; around
    a corner to the {d}; and turn {d}; then turn {d}; and turn around; a few steps; two steps; to the front; to the
    rear; up; down; up the stairs; down the stairs; up the hill; across the room; across the street; through the
    forest; along the road; down the street; on the beach; over a bridge; to the door; towards the door; towards
    the player; toward me; away from me; past the guards; into the room; out of the house; home; in a zigzag; back
    and forth; along a curve to the {d}; in a wide arc; uphill
""")
