-- Tokens that were made while nobody was asked for a credential: any page or program could have made them. Since now none can be made then.
update api_token set revoked_at = now()
where revoked_at is null
  and 'token ' || id in (select target from audit_event where action = 'token.create' and principal = 'anonymous');
