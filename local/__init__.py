"""The local cloud: the whole product on one machine, without Docker and without an AWS account.

It deploys the same template with the same `sam build` and `sam deploy` as AWS, to an emulator. Tests run one of their
own with `cloud.running`.
"""
