"""People made of numbers: one skeleton, set by angles or by directions, and scenes of them.

`angles` and `limbs` set the skeleton, `postures` has bodies that sit, stand or wave, and `scenes`
puts flesh on them before a camera.
"""
