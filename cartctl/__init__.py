"""cartctl: what operators do with a deployment of serverless-cart.

`app` puts the commands together, `shell` is what they have in common, `connection` finds the deployment, `commands` has
a module for each noun. Rules, keys and statements are those of the package `serverless_cart`.
"""
