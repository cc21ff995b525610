"""The local cloud: the whole product on one machine, without Docker and without an AWS account.

It deploys the same template as AWS, with the same `sam build` and `sam deploy`, to an emulator. Tests start a separate
one with `cloud.running`.
"""
