-- Put back by hand: stays what the server is to run until somebody applies what the plan says.
ALTER TABLE pmta_desired ADD COLUMN held boolean NOT NULL DEFAULT false;
