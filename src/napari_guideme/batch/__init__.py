"""Applying a saved correction to many images, on threads or on a cluster.

`recipe` says what is done, `targets` where labels go, `pieces` what is worked on at once,
`work` what a worker does, `running` where, `journal` what is done already, and `applying`
is all of it in order.
"""
