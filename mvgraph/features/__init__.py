"""From sound and pictures to one row per sample and view: front ends, networks, encoders.

Networks and mathematics need torch, numpy and scipy; decoding media needs the extra `mvgraph[media]`.
"""
