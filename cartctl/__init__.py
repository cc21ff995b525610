"""cartctl, the command-line tool for the operators of a deployment.

`app` assembles the commands, `shell` has their common options and error handling, `connection` finds the deployment,
and `commands` has a module for each noun. Rules, keys and statements come from the package `serverless_cart`.
"""
