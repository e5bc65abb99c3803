"""Clips of one package in which people hold a hand up, beckon, throw, or do nothing of it.

Three come from a data set of actions, HMDB51, and are called waves there. Looked at image by image
(counted from 0; left and right are the person's own), no hand swings to and fro in any of them:

- `raises_hand`: a man in a crowd. The left hand comes up in 24-30, is held open beside the face
  until 54, and comes down.
- `beckons`: a policeman, seen from behind, beckons cars. The left arm is out in 13-18 and swings
  in once until 24; the right arm is out in 37-42, and swings in and out once until 52.
- `greets`: a man in a door. The left hand is held up beside the head in 0-11, and comes down.
  After a cut, in 19, another man holds his left hand at his cheek from 31 on. The hands of a woman
  and a child behind him come up in 42-47.

In the others, too, nobody waves. The rider of `segway_man` swings his left hand from one side to
the other once, in 156-222; a woman in `segway_crowd` holds both arms up in 0-24; two people in
`cartwheel` lift both arms before they turn; the player of `basketball` jumps and throws.
"""

from __future__ import annotations

import media

_VIDEOS = "vision-0.14.1/test/assets/videos"


def _row(file: str, member: str, sha256: str) -> media.MediaFile:
    return media.MediaFile(
        file, "deb-src", "pytorch-vision", "0.14.1-2", member, sha256, "that of the package"
    )


# fmt: off
_ROWS = (
    _row("raises_hand.avi", f"{_VIDEOS}/RATRACE_wave_f_nm_np1_fr_goo_37.avi",
         "6a617ed6622abab8e3e975da8e450d4f804a32775ee74448f9db0bac76411ef2"),
    _row("beckons.avi", f"{_VIDEOS}/SchoolRulesHowTheyHelpUs_wave_f_nm_np1_ba_med_0.avi",
         "d689e38790330971024d78de01d072952c38501610270699966b3b5c4d894353"),
    _row("greets.avi", f"{_VIDEOS}/TrumanShow_wave_f_nm_np1_fr_med_26.avi",
         "aef6e317bd5011dc0b226c9ee93909971dd598b5629772eb8dce4d3667c6a80f"),
    _row("cartwheel.avi",
         f"{_VIDEOS}/hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi",
         "a72e13832c21410af90e6ba2246da9427f463fd13588db9be32a12a2275b8f36"),
    _row("juggler_1.avi", f"{_VIDEOS}/v_SoccerJuggling_g23_c01.avi",
         "e1d577a0b1590e3885d1117950a90adfe4849f222eafcc3aea73683e602dc26a"),
    _row("juggler_2.avi", f"{_VIDEOS}/v_SoccerJuggling_g24_c01.avi",
         "8c3fe073243fbf43553196b27016e66006e69e1fcc68cd926affdc083152ba46"),
    _row("segway_man.mp4", f"{_VIDEOS}/R6llTwEh07w.mp4",
         "dba2d9134b7614ddfbafae088bc54d4f1cd1eea528914ba4b5143e69cae6db1b"),
    _row("segway_team.mp4", f"{_VIDEOS}/SOX5yA1l24A.mp4",
         "d2dc17d708b367ddec88e7cbf8d432a2aab47c886df931db21b27fba90e1926f"),
    _row("segway_crowd.mp4", f"{_VIDEOS}/WUzgd7C1pWA.mp4",
         "e6051b507d489e55cd8076c3c5fbeac5a33569ab0c2f8b8a0d8325ee2490f823"),
    _row("basketball.mp4", "vision-0.14.1/gallery/assets/basketball.mp4",
         "f23724a4370f06662665474d39596532d5b46300d4406fadbdbbb4ce61026b48"),
)
# fmt: on
ROWS = {row.file.split(".")[0]: row for row in _ROWS}
"""The rows by the names of their clips."""
