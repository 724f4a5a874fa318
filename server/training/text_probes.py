"""Wordings written by hand, from no caption and no generator, each with the actions that it may be taken for."""

from __future__ import annotations

WALK = frozenset({"walk"})
RUN = frozenset({"run", "dash"})
BACK = frozenset({"walk-back"})
LEFT = frozenset({"walk-turn-left", "walk-left"})
RIGHT = frozenset({"walk-turn-right", "walk-right"})
WAVE = frozenset({"wave-right-hand", "wave-left-hand", "wave-both-hands", "bye", "byebye", "call"})
WAVE_LEFT = frozenset({"wave-left-hand"})
WAVE_RIGHT = frozenset({"wave-right-hand"})
WAVE_BOTH = frozenset({"wave-both-hands", "byebye"})
RAISE = frozenset({"raise-up-right-hand", "raise-up-left-hand", "raise-up-both-hands"})
RAISE_LEFT = frozenset({"raise-up-left-hand"})
RAISE_RIGHT = frozenset({"raise-up-right-hand"})
RAISE_BOTH = frozenset({"raise-up-both-hands"})
BOW = frozenset({"bow"})
KICK = frozenset({"kick"})
PUNCH = frozenset({"punch"})
DANCE = frozenset({"dance-short", "dance-long", "cmu_60", "cmu_61", "cmu_05"})

PROBES = (
    ("Our traveller is out for an unhurried evening constitutional", WALK),
    ("somebody ambling along as though nothing mattered", WALK),
    ("the lady walks on towards the market", WALK),
    ("guy plods home after a double shift, totally drained", WALK),
    ("grandpa is walking to the shops", WALK),
    ("walk like you just won the lottery", WALK),
    ("march onward, soldier", WALK),
    ("she's walking with her head hung low and tears in her eyes", WALK),
    ("he walks straight on, knackered", WALK),
    ("an ancient wizard walks forward leaning heavily", WALK),
    ("a bouncy, upbeat walk", WALK),
    ("a zombie shambles forwards", WALK),
    ("the pensioner makes slow progress on foot", WALK),
    ("Walking at a leisurely speed.", WALK),
    ("run for your life!", RUN),
    ("He's running as fast as his legs will carry him", RUN),
    ("the athlete jogs at a comfortable tempo", RUN),
    ("a woman sprints to catch her bus", RUN),
    ("keep running, don't stop", RUN),
    ("running forward quickly", RUN),
    ("a tired jogger still running", RUN),
    ("the messenger dashes off", RUN),
    ("walk backwards carefully", BACK),
    ("he retreats a few paces without turning round", BACK),
    ("the guard backs away from the dragon", BACK),
    ("someone is stepping back slowly", BACK),
    ("reverse, walking", BACK),
    ("move back on foot, facing front", BACK),
    ("walk ahead and hang a left", LEFT),
    ("he walks and then makes a left turn", LEFT),
    ("go straight, then turn left at the crossing", LEFT),
    ("walking, she veers off to her left", LEFT),
    ("walk ahead and hang a right", RIGHT),
    ("she walks and then makes a right turn", RIGHT),
    ("go straight, then turn right at the crossing", RIGHT),
    ("walking, he veers off to his right", RIGHT),
    ("wave to your mum", WAVE),
    ("a kid waving at the passing train", WAVE),
    ("say bye-bye with your hand", WAVE),
    ("the girl greets her pals with a wave", WAVE),
    ("use your left hand to wave", WAVE_LEFT),
    ("he gives a wave with his left", WAVE_LEFT),
    ("left arm waving", WAVE_LEFT),
    ("use your right hand to wave", WAVE_RIGHT),
    ("he gives a wave with his right", WAVE_RIGHT),
    ("right arm waving", WAVE_RIGHT),
    ("castaway waving two arms at a plane", WAVE_BOTH),
    ("wave using both of your hands", WAVE_BOTH),
    ("the pupil puts a hand up to answer", RAISE),
    ("stick your arm up in the air", RAISE),
    ("left hand up, please", RAISE_LEFT),
    ("she raises her left arm high", RAISE_LEFT),
    ("right hand up, please", RAISE_RIGHT),
    ("she raises her right arm high", RAISE_RIGHT),
    ("hands up! this is a robbery", RAISE_BOTH),
    ("the winner lifts both arms in triumph", RAISE_BOTH),
    ("bow before your king", BOW),
    ("the butler makes a deep, respectful bow", BOW),
    ("an actor bowing after the show", BOW),
    ("kick the door in", KICK),
    ("a footballer takes a kick", KICK),
    ("high kick, karate style", KICK),
    ("punch him in the face", PUNCH),
    ("a boxer throws a mean right hook", PUNCH),
    ("landing a heavy punch", PUNCH),
    ("dance as if nobody is watching", DANCE),
    ("a couple dancing salsa in a club", DANCE),
    ("she busts some moves on the dance floor", DANCE),
)
